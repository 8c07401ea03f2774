/** Every word on screen comes from the catalogue: parses all components and refuses literal text in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';

const source = join(import.meta.dirname, '..');
/** Attributes a person reads or hears. */
const SPOKEN = /^(aria-label|aria-description|aria-valuetext|title|alt|label|placeholder|help|note|text|confirm)$/;
/** Names and examples that are the same in every language. */
const ALLOWED = new Set([
  'YAML',
  'systemd',
  'web-02',
  '/srv/www',
  'node_modules/\n*.tmp',
  '30 1 * * 1-5',
  'https://backup.example.com',
]);

interface AstNode {
  type: string;
  value?: unknown;
  name?: AstNode | string;
  [key: string]: unknown;
}

const isWord = (text: unknown): text is string =>
  typeof text === 'string' && /\p{L}{2,}/u.test(text) && !ALLOWED.has(text.trim());
const isNode = (value: unknown): value is AstNode => typeof value === 'object' && value !== null && 'type' in value;

/** Literal strings an expression may evaluate to: conditionals and templates are looked into, calls are not. */
function literals(node: unknown): string[] {
  if (!isNode(node)) return [];
  if (node.type === 'Literal') return isWord(node.value) ? [node.value] : [];
  if (node.type === 'JSXExpressionContainer') return literals(node.expression);
  if (node.type === 'ConditionalExpression') return [...literals(node.consequent), ...literals(node.alternate)];
  if (node.type === 'LogicalExpression') return [...literals(node.left), ...literals(node.right)];
  if (node.type === 'TemplateLiteral') {
    const quasis = node.quasis as { value: { cooked: string } }[];
    return quasis.map((quasi) => quasi.value.cooked).filter(isWord);
  }
  return [];
}

/** All literal text a component would show. Exported shape: one string per finding. */
export function findLiteralText(code: string, file: string): string[] {
  const found: string[] = [];
  const visit = (node: AstNode) => {
    if (node.type === 'JSXText' && isWord(node.value)) found.push(node.value.trim());
    if (node.type === 'JSXElement' || node.type === 'JSXFragment') {
      for (const child of node.children as AstNode[]) {
        if (child.type === 'JSXExpressionContainer') found.push(...literals(child));
      }
    }
    if (node.type === 'JSXAttribute' && isNode(node.name) && SPOKEN.test(String(node.name.name))) {
      found.push(...literals(node.value));
    }
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child);
    }
  };
  visit(parseSync(file, code).program as unknown as AstNode);
  return found;
}

test('finds text, spoken attributes and conditionals, and leaves the rest alone', () => {
  const code = `const a = <p title="Hello there">Some words {x ? 'yes it is' : t('k')} <i className="not text">·</i></p>;`;
  expect(findLiteralText(code, 'a.tsx').sort()).toEqual(['Hello there', 'Some words', 'yes it is']);
});

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.name.endsWith('.tsx'))
  .map((entry) => join(entry.parentPath, entry.name));

test('there are components to look at', () => {
  expect(files.length).toBeGreaterThan(40);
});

test.each(files.map((file) => [relative(source, file), file]))('%s', (_name, file) => {
  expect(findLiteralText(readFileSync(file, 'utf8'), file)).toEqual([]);
});
