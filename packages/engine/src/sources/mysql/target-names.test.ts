import { expect, it } from 'vitest';
import { TargetNames } from './target-names.ts';

/** To a server with this `lower_case_table_names`; answers what is refused, and why. */
async function refusals(setting: string, names: readonly string[]): Promise<[string, string][]> {
  const taken = new TargetNames({ query: async () => [[setting]] });
  const refused: [string, string][] = [];
  for (const name of names) await taken.take(name).catch(({ params }) => refused.push([name, params.reason]));
  return refused;
}

it('refuses names that two databases would get, as the server tells them apart', async () => {
  const names = ['shop', 'Shop', 'other', 'shop', 'MySQL'];
  const twice = 'two databases would get this name';
  const own = ['MySQL', 'it belongs to the server itself'];
  expect(await refusals('0', names)).toEqual([['shop', twice], own]);
  expect(await refusals('1', names)).toEqual([['Shop', twice], ['shop', twice], own]);
});
