/**
 * Frames on the socket between the writer and its clients:
 * 4 bytes length of the JSON, 4 bytes length of the blob (both little-endian), the JSON, the blob.
 */
const HEADER_BYTES = 8;
const JSON_MAX_BYTES = 64 * 1024 * 1024;
const BLOB_MAX_BYTES = 256 * 1024 * 1024;
const NO_BLOB = Buffer.alloc(0);

/**
 * @param json the message, already JSON
 * @param blobs bytes that travel beside it, concatenated in order
 * @returns one frame, ready to write
 */
export function encodeFrame(json: string, blobs: readonly Buffer[] = []): Buffer {
  const jsonBytes = Buffer.byteLength(json);
  const blobBytes = blobs.reduce((sum, blob) => sum + blob.length, 0);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + jsonBytes + blobBytes);
  frame.writeUInt32LE(jsonBytes, 0);
  frame.writeUInt32LE(blobBytes, 4);
  frame.write(json, HEADER_BYTES);
  let offset = HEADER_BYTES + jsonBytes;
  for (const blob of blobs) offset += blob.copy(frame, offset);
  return frame;
}

/** Cuts a byte stream back into frames. */
export class FrameReader {
  readonly #onFrame: (message: unknown, blob: Buffer) => void;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #neededBytes = HEADER_BYTES;

  /** @param onFrame gets each message, parsed, and its blob (empty when there is none) */
  constructor(onFrame: (message: unknown, blob: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /**
   * @param chunk the next bytes of the stream
   * @throws Error when the bytes cannot be frames; the stream is then of no further use
   */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes < this.#neededBytes) return;
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#neededBytes = HEADER_BYTES;
    while (rest.length >= HEADER_BYTES) {
      const jsonBytes = rest.readUInt32LE(0);
      const blobBytes = rest.readUInt32LE(4);
      if (jsonBytes > JSON_MAX_BYTES || blobBytes > BLOB_MAX_BYTES) throw new Error('frame too large');
      const frameBytes = HEADER_BYTES + jsonBytes + blobBytes;
      if (rest.length < frameBytes) {
        this.#neededBytes = frameBytes;
        break;
      }
      const blobStart = HEADER_BYTES + jsonBytes;
      const message: unknown = JSON.parse(rest.toString('utf8', HEADER_BYTES, blobStart));
      this.#onFrame(message, blobBytes === 0 ? NO_BLOB : rest.subarray(blobStart, frameBytes));
      rest = rest.subarray(frameBytes);
    }
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bufferedBytes = rest.length;
  }
}
