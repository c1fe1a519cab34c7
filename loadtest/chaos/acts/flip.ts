import { readFileSync, writeFileSync } from 'node:fs';

/** Flips one bit of a file. @param offset of its byte */
export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x20, offset);
  writeFileSync(path, bytes);
}
