/** Where the bytes of the prediction log go. One write is in progress at most. */
export interface LogSink {
  readonly maxWriteBytes: number;
  /**
   * Writes whole lines. Resolves with the number of bytes that were written: fewer if the disk is full, 0 if a pipe has
   * no room now. Rejects if nothing was written.
   */
  write(bytes: Buffer): Promise<number>;
  close(): Promise<void>;
}
