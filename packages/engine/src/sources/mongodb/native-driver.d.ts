/** What the driver has and does not declare: documents of a command as bytes, without a way through objects. */
declare module 'mongodb/lib/cmap/commands.js' {
  export class DocumentSequence {
    constructor(field: string);
    /** `document` is for observers of commands. */
    push(document: object, bytes: Uint8Array): number;
  }
}
