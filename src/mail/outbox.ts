import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Delivery, Mail, Transport } from './mail.ts';

const CONCURRENCY = 8;

/**
 * Writes each mail into a folder, for a system without a mail server. A file is written as a whole or not at all. Its
 * name is that of the Message-ID, so a mail that is sent again replaces itself.
 */
export class Outbox implements Transport {
  readonly concurrency = CONCURRENCY;
  readonly #folder: string;
  #isMade = false;

  /** @param folder absolute; made with mode 0700 */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async send({ messageId }: Mail, content: Buffer): Promise<Delivery> {
    const path = join(this.#folder, `${messageId.replace(/@.*/, '')}.eml`);
    try {
      if (!this.#isMade) await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      this.#isMade = true;
      const partPath = `${path}.${process.pid}.part`;
      const file = await open(partPath, 'w', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partPath, path);
      await syncFolder(this.#folder);
      return { outcome: 'sent' };
    } catch (error) {
      this.#isMade = false;
      const reason = `The outbox cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`;
      return { outcome: 'unavailable', reason };
    }
  }

  close(): void {}
}

/** Syncs the folder: otherwise a power loss could lose the new name, and so a mail that counts as sent. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
