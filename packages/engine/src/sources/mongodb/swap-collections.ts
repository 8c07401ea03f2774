/**
 * Puts proven collections in the place of others. MongoDB renames one collection at a time; so what is there goes aside
 * first, the new ones take their names, and `undoSwap` brings the old ones back wherever that stopped, also when the
 * process that began it is gone. Views have no content: they are made anew.
 */
import type { FoundCollection } from './read-inventory.ts';
import type { ScratchNames } from './scratch-names.ts';

/** What a swap needs of a database. */
export interface CollectionPlace {
  list(): Promise<readonly FoundCollection[]>;
  rename(from: string, to: string): Promise<void>;
  drop(name: string): Promise<void>;
  createView(name: string, options: Readonly<Record<string, unknown>>): Promise<void>;
}

interface View {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What is to be done; enough to undo it. */
export interface SwapPlan {
  /** Collections that go aside. */
  readonly oldCollections: readonly string[];
  readonly oldViews: readonly View[];
  readonly newCollections: readonly string[];
  readonly newViews: readonly View[];
}

/** `fresh`: what was loaded, by its final names. `replaced`: what it takes the place of. */
export function planSwap(fresh: readonly FoundCollection[], replaced: readonly FoundCollection[]): SwapPlan {
  const namesOf = (list: readonly FoundCollection[]) =>
    list.filter(({ kind }) => kind === 'collection').map(({ name }) => name);
  const viewsOf = (list: readonly FoundCollection[]) =>
    list.filter(({ kind }) => kind === 'view').map(({ name, options }) => ({ name, options }));
  return {
    oldCollections: namesOf(replaced),
    oldViews: viewsOf(replaced),
    newCollections: namesOf(fresh),
    newViews: viewsOf(fresh),
  };
}

/** Does it. When it throws, `undoSwap` has to be called. */
export async function swapCollections(place: CollectionPlace, names: ScratchNames, plan: SwapPlan): Promise<void> {
  for (const { name } of plan.oldViews) await place.drop(name);
  for (const name of plan.oldCollections) await place.rename(name, names.old(name));
  for (const name of plan.newCollections) await place.rename(names.fresh(name), name);
  for (const { name, options } of plan.newViews) await place.createView(name, options);
}

/** Brings back what was there. Knows by itself how far the swap came. */
export async function undoSwap(place: CollectionPlace, names: ScratchNames, plan: SwapPlan): Promise<void> {
  const look = async () => new Map((await place.list()).map(({ name, kind }) => [name, kind]));
  let there = await look();
  const views = new Set([...plan.newViews, ...plan.oldViews].map(({ name }) => name));
  for (const name of views) {
    // Of the old ones too: which one it is cannot be seen, and it is made anew below.
    if (there.get(name) === 'view') await place.drop(name);
  }
  for (const name of plan.newCollections) {
    const isInPlace = there.get(name) === 'collection' && !there.has(names.fresh(name));
    if (isInPlace) await place.rename(name, names.fresh(name));
  }
  there = await look();
  for (const name of plan.oldCollections) {
    if (there.has(names.old(name))) await place.rename(names.old(name), name);
  }
  there = await look();
  for (const { name, options } of plan.oldViews) if (!there.has(name)) await place.createView(name, options);
}
