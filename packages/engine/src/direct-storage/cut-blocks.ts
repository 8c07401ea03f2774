/** Gathers what comes out of a pipe, 64 KiB at a time, into the blocks that are compressed. */

const BLOCK_BYTES = 1024 * 1024;

/** Blocks of `data`, all but the last full. Each is taken again once it was given back. */
export function cutBlocks(data: AsyncIterable<Uint8Array>) {
  const spare: Uint8Array[] = [];
  const newBlock = () => spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);

  async function* cut(): AsyncGenerator<Uint8Array> {
    let block = newBlock();
    let used = 0;
    for await (const chunk of data) {
      for (let at = 0; at < chunk.byteLength; ) {
        if (used === BLOCK_BYTES) {
          yield block;
          block = newBlock();
          used = 0;
        }
        const part = chunk.subarray(at, at + BLOCK_BYTES - used);
        block.set(part, used);
        used += part.byteLength;
        at += part.byteLength;
      }
    }
    if (used > 0) yield block.subarray(0, used);
  }

  return {
    blocks: cut(),
    giveBack(block: Uint8Array): void {
      if (block.byteLength === BLOCK_BYTES) spare.push(block);
    },
  };
}
