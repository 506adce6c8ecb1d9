/** Whether the rows that have a small size for daily use run at their full one. */
export const isFullSize = process.env['FAULTS'] === 'full';
export const sizeNote = isFullSize ? '; full size' : '; full size with FAULTS=full';
