/**
 * How values of an RDB file are laid out, as steps that skip them. A step reads a short head and may end by skipping
 * bytes or by asking for further steps; it begins anew when the bytes at hand do not reach to the end of its head.
 */

/** What a step may do. `need` unwinds the step when there are not that many bytes yet. */
export interface RdbCursor {
  byte(): number;
  /** A length in Redis's own encoding. Throws when there is a string encoding instead. */
  length(): number;
  /** The last thing a step does with bytes: passes over this many, now or as they come. */
  skip(count: number): void;
  /** Steps to be taken in turn, all of them `times` over, before what comes after this step. */
  repeat(steps: readonly RdbStep[], times: number): void;
  /** The head of a string; its bytes are skipped. */
  skipString(): void;
}

/** `end`: the frame of this step is done, whatever is left of it. */
export type RdbStep = (cursor: RdbCursor) => undefined | 'end';

const step = (act: (cursor: RdbCursor) => void): RdbStep => {
  return (cursor) => {
    act(cursor);
    return undefined;
  };
};

const stringStep = step((cursor) => cursor.skipString());
const skipLength = step((cursor) => cursor.length());
const skip = (count: number) => step((cursor) => cursor.skip(count));

/** A count, then so many times the steps. */
const repeated = (steps: readonly RdbStep[], perItem = 1): RdbStep =>
  step((cursor) => cursor.repeat(steps, cursor.length() * perItem));

/** Scores as text behind one byte of length; three lengths stand for words. */
const textNumber = step((cursor) => {
  const length = cursor.byte();
  if (length < 253) cursor.skip(length);
});

const MODULE_PART = { end: 0, signed: 1, unsigned: 2, float: 3, double: 4, text: 5 } as const;

const moduleStep: RdbStep = (cursor) => {
  const code = cursor.length();
  if (code === MODULE_PART.end) return 'end';
  if (code === MODULE_PART.signed || code === MODULE_PART.unsigned) cursor.length();
  else if (code === MODULE_PART.float) cursor.skip(4);
  else if (code === MODULE_PART.double) cursor.skip(8);
  else if (code === MODULE_PART.text) cursor.skipString();
  else throw new Error(`a module value has the unknown part ${code}`);
  return undefined;
};

/** Data of a module: its id, then parts up to an end mark. */
export const moduleData = step((cursor) => {
  cursor.length();
  cursor.repeat([moduleStep], Number.POSITIVE_INFINITY);
});

/** Streams grew twice; `version` 1 to 3. */
function stream(version: number): RdbStep[] {
  const lengths = (count: number) =>
    step((cursor) => {
      for (let index = 0; index < count; index += 1) cursor.length();
    });
  const consumer = [stringStep, skip(version >= 3 ? 16 : 8), step((cursor) => cursor.skip(16 * cursor.length()))];
  const group = [stringStep, lengths(version >= 2 ? 3 : 2), repeated([skip(24), skipLength]), repeated(consumer)];
  return [repeated([stringStep], 2), lengths(version >= 2 ? 8 : 3), repeated(group)];
}

const strings = repeated([stringStep]);
const pairs = repeated([stringStep], 2);

const common: Readonly<Record<number, readonly RdbStep[]>> = {
  0: [stringStep],
  1: [strings],
  2: [strings],
  3: [repeated([stringStep, textNumber])],
  4: [pairs],
  5: [repeated([stringStep, skip(8)])],
  7: [moduleData],
  9: [stringStep],
  10: [stringStep],
  11: [stringStep],
  12: [stringStep],
  13: [stringStep],
  14: [strings],
  15: stream(1),
  16: [stringStep],
  17: [stringStep],
  18: [repeated([skipLength, stringStep])],
  19: stream(2),
  20: [stringStep],
  21: stream(3),
};
/** Hashes whose fields expire. */
const redis = { 24: [skip(8), repeated([skipLength, stringStep, stringStep])], 25: [skip(8), stringStep] };
const valkey = { 22: [repeated([stringStep, stringStep, skip(8)])] };

/** Steps over a value by the type byte before it; missing: a type that this program does not know. */
export function valueSteps(product: 'redis' | 'valkey'): Readonly<Record<number, readonly RdbStep[] | undefined>> {
  return { ...common, ...(product === 'redis' ? redis : valkey) };
}
