const KEPT_BYTES = 16 * 1024;
const LINE_FEED = 10;

/** The last 16 KiB of what a program says, without the lines that only tell how far it is. */
export class MessageTail {
  readonly #progressLines: RegExp | undefined;
  #kept = Buffer.alloc(0);
  /** The begin of a line. */
  #begun = Buffer.alloc(0);

  constructor(progressLines?: RegExp) {
    this.#progressLines = progressLines;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#begun, chunk]);
    const end = this.#progressLines ? bytes.lastIndexOf(LINE_FEED) + 1 : bytes.byteLength;
    this.#begun = bytes.subarray(end).subarray(-KEPT_BYTES);
    const whole = this.#withoutProgress(bytes.subarray(0, end));
    this.#kept = Buffer.concat([this.#kept, whole]).subarray(-KEPT_BYTES);
  }

  get text(): string {
    const rest = this.#withoutProgress(this.#begun);
    return Buffer.concat([this.#kept, rest]).subarray(-KEPT_BYTES).toString('utf8').trim();
  }

  #withoutProgress(bytes: Buffer): Buffer {
    const pattern = this.#progressLines;
    if (!pattern || bytes.byteLength === 0) return bytes;
    // Each byte a character, whatever it is part of.
    const lines = bytes.toString('latin1').split('\n');
    return Buffer.from(lines.filter((line) => !pattern.test(line)).join('\n'), 'latin1');
  }
}
