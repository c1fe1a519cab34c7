import type { Replica } from '../../config/replica-url.ts';

const DIGITS = 6;
const FOLDER = /^e(\d{6,})$/;

/** @returns the folder of an epoch, below the replica that its systems share */
export function epochFolder(epoch: number): string {
  return `e${String(epoch).padStart(DIGITS, '0')}`;
}

/** @returns the epoch of a folder; undefined for any other name, such as the folder of a database */
export function epochOf(folder: string): number | undefined {
  const epoch = Number(FOLDER.exec(folder)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(epoch) && epochFolder(epoch) === folder ? epoch : undefined;
}

/** @returns for the replica of an epoch the shared replica, and the epoch's folder below it; undefined for any other */
export function sharedBy(
  replica: Replica,
): { readonly replica: Replica; readonly folder: string } | undefined {
  const folder = replica.url.slice(replica.url.lastIndexOf('/') + 1);
  if (replica.type !== 's3' || epochOf(folder) === undefined) return undefined;
  const parent = (path: string) => path.slice(0, Math.max(0, path.length - folder.length - 1));
  return { replica: { ...replica, url: parent(replica.url), prefix: parent(replica.prefix) }, folder };
}
