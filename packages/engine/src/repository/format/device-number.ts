/** Device numbers as Linux packs them into `st_rdev` (glibc's `makedev`), which is what restic stores. */

/** One number for major and minor. */
export function joinDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((low & 0xffffff00n) << 12n) | ((high & 0xfffn) << 8n) | (low & 0xffn);
}

/** The inverse of `joinDevice`. */
export function splitDevice(device: number | bigint): { major: number; minor: number } {
  const packed = BigInt(device);
  return {
    major: Number(((packed >> 32n) & 0xfffff000n) | ((packed >> 8n) & 0xfffn)),
    minor: Number(((packed >> 12n) & 0xffffff00n) | (packed & 0xffn)),
  };
}
