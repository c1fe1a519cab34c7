const PRIMES = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const;
const STRIPE_BYTES = 16;

/**
 * The checksum of LZ4 frames, with the seed 0.
 * @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export class Xxh32 {
  readonly #lanes: [number, number, number, number] = [
    (PRIMES[0] + PRIMES[1]) | 0,
    PRIMES[1] | 0,
    0,
    -PRIMES[0] | 0,
  ];
  #rest: Uint8Array = new Uint8Array(0);
  #lengthBytes = 0;

  update(bytes: Uint8Array): this {
    this.#lengthBytes += bytes.length;
    let source = bytes;
    if (this.#rest.length > 0) {
      source = new Uint8Array(this.#rest.length + bytes.length);
      source.set(this.#rest);
      source.set(bytes, this.#rest.length);
    }
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    let [a, b, c, d] = this.#lanes;
    let place = 0;
    for (; place + STRIPE_BYTES <= source.length; place += STRIPE_BYTES) {
      a = round(a, view.getInt32(place, true));
      b = round(b, view.getInt32(place + 4, true));
      c = round(c, view.getInt32(place + 8, true));
      d = round(d, view.getInt32(place + 12, true));
    }
    this.#lanes.splice(0, 4, a, b, c, d);
    this.#rest = source.slice(place);
    return this;
  }

  /** @returns a whole number of 32 bits, not below 0 */
  digest(): number {
    const [a, b, c, d] = this.#lanes;
    let hash =
      this.#lengthBytes >= STRIPE_BYTES
        ? (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
        : PRIMES[4] | 0;
    hash = (hash + this.#lengthBytes) | 0;
    const rest = this.#rest;
    const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
    let place = 0;
    for (; place + 4 <= rest.length; place += 4) {
      hash = Math.imul(rotate(hash + Math.imul(view.getInt32(place, true), PRIMES[2]), 17), PRIMES[3]);
    }
    for (; place < rest.length; place += 1) {
      hash = Math.imul(rotate(hash + Math.imul(view.getUint8(place), PRIMES[4]), 11), PRIMES[0]);
    }
    hash = Math.imul(hash ^ (hash >>> 15), PRIMES[1]);
    hash = Math.imul(hash ^ (hash >>> 13), PRIMES[2]);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

function round(lane: number, value: number): number {
  return Math.imul(rotate(lane + Math.imul(value, PRIMES[1]), 13), PRIMES[0]);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
