import { crc32 } from "./crc32.js";

const END = 0x06054b50;
const ENTRY = 0x02014b50;

/** The zip archive at the end of a file, of uncompressed entries. */
export class ZipArchive {
  #bytes;
  #view;
  #entries = [];

  /** Where the archive begins. */
  begin;

  /**
   * @param {Uint8Array} bytes the whole file.
   * @throws {Error} if there is no archive, or it is damaged.
   */
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let end = bytes.length - 22;
    // A view throws below 0.
    while (this.#int(end) !== END) end -= 1;
    let entry = this.#int(end + 16);
    require(entry + this.#int(end + 12) === end);
    for (let count = this.#short(end + 10); count > 0; count -= 1) {
      require(this.#int(entry) === ENTRY);
      this.#entries.push(entry);
      entry +=
        46 + this.#short(entry + 28) + this.#short(entry + 30) + this.#short(entry + 32);
    }
    require(entry === end);
    this.begin = Math.min(end, ...this.#entries.map((each) => this.#int(each + 42)));
  }

  /**
   * @param {string} name
   * @returns {Uint8Array} the content of an entry.
   * @throws {Error} if there is none of this name, or it is damaged.
   */
  read(name) {
    const entry = this.#entries.find((each) => this.#name(each) === name);
    require(entry !== undefined);
    const header = this.#int(entry + 42);
    const size = this.#int(entry + 24);
    const start = header + 30 + this.#short(header + 26) + this.#short(header + 28);
    // Compressed entries have another method than 0; grw_tf writes none.
    require(this.#short(entry + 10) === 0 && this.#int(entry + 20) === size);
    require(start + size <= this.#bytes.length);
    const content = this.#bytes.subarray(start, start + size);
    require(crc32(content) === this.#int(entry + 16));
    return content;
  }

  #name(entry) {
    const start = entry + 46;
    return new TextDecoder().decode(
      this.#bytes.subarray(start, start + this.#short(entry + 28)),
    );
  }

  #int(at) {
    return this.#view.getUint32(at, true);
  }

  #short(at) {
    return this.#view.getUint16(at, true);
  }
}

function require(holds) {
  if (!holds) throw new Error("a damaged archive");
}
