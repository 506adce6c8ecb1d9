/** Whether rows that have a small and a full size run at their full size. */
export const isFullSize = process.env['FAULTS'] === 'full';
export const sizeNote = isFullSize ? '; full size' : '; small size, FAULTS=full for the full one';
