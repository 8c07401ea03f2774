/** 全部中文：登录前的文字与控制台的文字。 */
import type { Catalogue } from './i18n.ts';
import { zhCN } from './zh-cn.ts';
import { zhCNRepositories } from './zh-cn-repositories.ts';
import { zhCNSources } from './zh-cn-sources.ts';
import { zhCNVerifications } from './zh-cn-verifications.ts';

export const zhCNWhole: Catalogue = { ...zhCN, ...zhCNRepositories, ...zhCNSources, ...zhCNVerifications };
