import { readFileSync, writeFileSync } from 'node:fs';

/** Changes one bit of the byte of a file. @param offset in bytes, within the file */
export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x20, offset);
  writeFileSync(path, bytes);
}
