import { readManualFiles } from './manual-files.js';
import type { ServedBytes } from './served-bytes.js';

/** The files of the manual. The first request reads them: they take 20 MB, and most servers get no such request. */
export class Manual {
  #files: ReturnType<typeof readManualFiles> | undefined;

  async find(path: string): Promise<ServedBytes | undefined> {
    this.#files ??= readManualFiles();
    try {
      return (await this.#files).get(path);
    } catch (error) {
      this.#files = undefined;
      throw error;
    }
  }
}
