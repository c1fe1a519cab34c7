const DIGITS = 6;
const FOLDER = /^e(\d{6,})$/;

/** @returns the folder of an epoch, below the replica that its systems share */
export function epochFolder(epoch: number): string {
  return `e${String(epoch).padStart(DIGITS, '0')}`;
}

/** @returns the epoch whose folder it is; undefined for anything else, such as the folder of a database */
export function epochOf(folder: string): number | undefined {
  const epoch = Number(FOLDER.exec(folder)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(epoch) && epochFolder(epoch) === folder ? epoch : undefined;
}
