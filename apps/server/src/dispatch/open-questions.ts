/**
 * Questions on the control lane that somebody waits for. Their payloads may hold opened secrets (a storage's
 * credentials), so they live here, in memory, and the command row holds a random reference only. A restart of the
 * master loses them, which is right: nobody waits any more.
 */
import { randomUUID } from 'node:crypto';

export type Answer =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly message: string; readonly code?: string }
  | { readonly kind: 'timeout' };

export interface Question {
  readonly ref: string;
  readonly answer: Promise<Answer>;
}

export interface OpenQuestions {
  open(payload: Readonly<Record<string, unknown>>): Question;
  /** What the agent must be told, or undefined when nobody waits any more. */
  payload(ref: string): Readonly<Record<string, unknown>> | undefined;
  /** Gives the answer; a second one is ignored. */
  settle(ref: string, answer: Answer): void;
}

export function createOpenQuestions(): OpenQuestions {
  const open = new Map<string, { payload: Readonly<Record<string, unknown>>; resolve: (answer: Answer) => void }>();
  return {
    open(payload) {
      const ref = randomUUID();
      const answer = new Promise<Answer>((resolve) => open.set(ref, { payload, resolve }));
      return { ref, answer };
    },
    payload: (ref) => open.get(ref)?.payload,
    settle(ref, answer) {
      open.get(ref)?.resolve(answer);
      open.delete(ref);
    },
  };
}
