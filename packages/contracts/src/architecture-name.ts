/** The words agents in the field use for processor architectures. */
const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** `amd64` for `x64` and so on; what has no other word stays. */
export function architectureName(arch: string): string {
  return names[arch] ?? arch;
}
