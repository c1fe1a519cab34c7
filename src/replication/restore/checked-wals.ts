import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Failure } from '../../platform/errors.ts';
import { segmentFile } from '../history/segment.ts';
import type { LocalFiles } from './local-files.ts';
import { decodeLz4 } from './lz4.ts';
import { type GenerationFiles, type SegmentFile, segmentName } from './replica-files.ts';
import { type RowTrack, WalScan } from './wal-scan.ts';

/** How many segments are requested ahead. */
const AHEAD = 32;
/** A larger segment is read as a stream. */
const SMALL_MAX_BYTES = 256 * 1024;

/** The content of a segment, or the path of its file. */
type Content = Uint8Array | string;

/** What a generation has of one WAL. */
export interface CheckedWal {
  readonly index: number;
  /** Where its last sound commit ends. */
  readonly soundBytes: number;
  /** What is wrong after that; undefined when nothing is. */
  readonly problem: string | undefined;
  readonly rows: ReadonlyMap<number, RowTrack>;
  /** The segments that the WAL is made of, in order. */
  readonly pieces: readonly Piece[];
}

/** A segment, and the offset in its WAL from which it is used: what it has before that, the segment before has too. */
export interface Piece {
  readonly segment: SegmentFile;
  readonly fromBytes: number;
}

/** Checks the WALs of one generation: only those that are asked for, and each once. */
export class CheckedWals {
  readonly #segments: Map<number, SegmentFile[]>;
  readonly #folder: string;
  readonly #files: LocalFiles;
  readonly #untilMs: number | undefined;
  readonly #checked = new Map<number, Promise<CheckedWal>>();
  readonly #loaded = new Map<SegmentFile, Promise<Content | undefined>>();
  readonly lastIndex: number;

  /** @param untilMs the scan notes the first commit after this time; milliseconds since the epoch */
  constructor({ name, segments }: GenerationFiles, files: LocalFiles, untilMs: number | undefined) {
    this.#segments = Map.groupBy(segments, ({ index }) => index);
    this.#folder = `generations/${name}/wal`;
    this.#files = files;
    this.#untilMs = untilMs;
    this.lastIndex = segments.at(-1)?.index ?? -1;
  }

  /** Checks a WAL, and loads the segments after it ahead. @throws Failure as `LocalFiles.get` */
  async check(index: number): Promise<CheckedWal> {
    const known = this.#checked.get(index);
    if (known) return known;
    const checked = this.#check(index);
    this.#checked.set(index, checked);
    return checked;
  }

  async #check(index: number): Promise<CheckedWal> {
    const scan = new WalScan(this.#untilMs);
    const pieces: Piece[] = [];
    const end = (problem: string | undefined): CheckedWal => {
      const { soundBytes, rows } = scan;
      return { index, soundBytes, problem, rows, pieces };
    };
    const segments = this.#segments.get(index) ?? [];
    this.#segments.set(index, segments);
    for (let place = 0; place < Math.max(1, segments.length); place += 1) {
      const next = segments[place];
      if (next === undefined || next.offsetBytes > scan.nextBytes) {
        const unlisted = await this.#unlisted(index, scan.nextBytes);
        if (unlisted) segments.splice(place, 0, unlisted);
      }
      const segment = segments[place];
      if (!segment) return end(`all segments of WAL ${index.toString(16).padStart(8, '0')} are missing`);
      const name = segmentName(segment);
      if (segment.offsetBytes > scan.nextBytes)
        return end(`the segment ${segmentName({ index, offsetBytes: scan.nextBytes })} is missing`);
      this.#loadAhead(index, place);
      const loaded = this.#load(segment);
      try {
        const content = await loaded;
        if (content === undefined) return end(`the segment ${name} is missing`);
        const source = typeof content === 'string' ? createReadStream(content) : [content];
        const fromBytes = scan.nextBytes;
        // If Litestream is stopped during an upload, it may upload again from the same offset, and further. Then some
        // bytes are there twice. The checksums of the frames show that they are the same.
        let twiceBytes = fromBytes - segment.offsetBytes;
        pieces.push({ segment, fromBytes });
        for await (const bytes of decodeLz4(source)) {
          scan.push(bytes.subarray(twiceBytes));
          twiceBytes = Math.max(0, twiceBytes - bytes.length);
        }
        if (scan.nextBytes === fromBytes) pieces.pop();
      } catch (error) {
        if (error instanceof Failure) throw error;
        return end(`the segment ${name} is damaged: ${(error as Error).message}`);
      } finally {
        this.#loaded.delete(segment);
      }
    }
    return end(undefined);
  }

  /** Asks for a segment that a listing lacks: one made while Litestream uploads may miss an older segment. */
  async #unlisted(index: number, offsetBytes: number): Promise<SegmentFile | undefined> {
    const path = `${this.#folder}/${segmentFile({ index, offsetBytes })}`;
    const file = { path, index, offsetBytes, sizeBytes: 0, storedMs: 0 };
    return (await this.#files.get(file)) === undefined ? undefined : file;
  }

  #loadAhead(index: number, place: number): void {
    let left = AHEAD;
    let from = place;
    for (let next = index; next <= this.lastIndex && left > 0; next += 1) {
      const ahead = (this.#segments.get(next) ?? []).slice(from, from + left);
      // A failure is reported where the segment is awaited.
      for (const segment of ahead) this.#load(segment).catch(() => {});
      left -= ahead.length;
      from = 0;
    }
  }

  #load(segment: SegmentFile): Promise<Content | undefined> {
    const known = this.#loaded.get(segment);
    if (known) return known;
    const loaded = this.#read(segment);
    this.#loaded.set(segment, loaded);
    return loaded;
  }

  async #read(segment: SegmentFile): Promise<Content | undefined> {
    const path = await this.#files.get(segment);
    return path === undefined || segment.sizeBytes > SMALL_MAX_BYTES ? path : readFile(path);
  }
}
