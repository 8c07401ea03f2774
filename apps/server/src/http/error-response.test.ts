import { errorMessagesZhCn } from '@backupx/contracts/error-messages.zh-cn';
import { type ErrorCode, errorCatalog } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { chooseLanguage } from './error-response.ts';

const placeholders = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

describe('error catalogue in Chinese', () => {
  it('has every code and no other, with the same placeholders', () => {
    expect(Object.keys(errorMessagesZhCn).sort()).toEqual(Object.keys(errorCatalog).sort());
    for (const code of Object.keys(errorCatalog) as ErrorCode[]) {
      expect(placeholders(errorMessagesZhCn[code].message), code).toEqual(placeholders(errorCatalog[code].message));
      expect(placeholders(errorMessagesZhCn[code].hint), code).toEqual(placeholders(errorCatalog[code].hint));
      expect(errorMessagesZhCn[code].message, code).toMatch(/\p{Script=Han}/u);
    }
  });
});

describe('chooseLanguage', () => {
  it('follows the weights', () => {
    expect(chooseLanguage(undefined)).toBe('en');
    expect(chooseLanguage('zh')).toBe('zh-CN');
    expect(chooseLanguage('zh-TW,en;q=0.5')).toBe('zh-CN');
    expect(chooseLanguage('en;q=0.9, zh-CN;q=0.4')).toBe('en');
    expect(chooseLanguage('de,fr;q=0.5')).toBe('en');
    expect(chooseLanguage('de, zh;q=0.1')).toBe('zh-CN');
  });
});
