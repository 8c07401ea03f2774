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

/** Text that one node of the tree would show by itself. */
function textOf(node: AstNode): string[] {
  if (node.type === 'JSXText') return isWord(node.value) ? [node.value.trim()] : [];
  if (node.type === 'JSXElement' || node.type === 'JSXFragment') {
    return (node.children as AstNode[]).filter((child) => child.type === 'JSXExpressionContainer').flatMap(literals);
  }
  const isSpoken = node.type === 'JSXAttribute' && isNode(node.name) && SPOKEN.test(String(node.name.name));
  return isSpoken ? literals(node.value) : [];
}

function walk(node: AstNode): string[] {
  const children = Object.values(node).flat().filter(isNode);
  return [...textOf(node), ...children.flatMap(walk)];
}

/** All literal text a component would show, one string per finding. */
function findLiteralText(code: string, file: string): string[] {
  return walk(parseSync(file, code).program as unknown as AstNode);
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
