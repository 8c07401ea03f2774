/** The little of the WebAssembly interface that is used here; TypeScript declares it only together with a browser. */
interface WebAssemblyInterface {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports?: object) => { readonly exports: unknown };
  readonly Memory: new (description: { initial: number; maximum: number; shared: true }) => SharedMemory;
}

interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

const pageBytes = 65_536;

const { WebAssembly: webAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyInterface };

/** Runs a module of `tools/build-wasm.ts`; `Exports` must say what the module exports. */
export function instantiateModule<Exports>(base64: string, imports?: object): Exports {
  const module = new webAssembly.Module(Buffer.from(base64, 'base64'));
  return new webAssembly.Instance(module, imports).exports as Exports;
}

/** False when the module needs something that this runtime or processor does not have. */
export function isValidModule(base64: string): boolean {
  return webAssembly.validate(Buffer.from(base64, 'base64'));
}

/** Memory of a fixed size (rounded up to whole pages) that threads can share. */
export function createSharedMemory(sizeBytes: number): SharedMemory {
  const pages = Math.ceil(sizeBytes / pageBytes);
  return new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
