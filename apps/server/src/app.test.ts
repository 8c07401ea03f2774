import { allRoutes } from '@backupx/contracts/api/all-routes';
import { type Role, roleAllows } from '@backupx/contracts/api/auth';
import type { RouteContract } from '@backupx/contracts/define-route';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './connect-test-app.ts';

const routes: RouteContract[] = Object.values(allRoutes).flatMap((group) => Object.values(group) as RouteContract[]);
const urlOf = (route: RouteContract) => route.path.replace(/:\w+/g, '999999');
const isStream = (route: RouteContract) => route.kind === 'events';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('every route of the contract', () => {
  let app: TestApp;
  const tokens = {} as Record<Role, string>;
  let agentToken = '';

  beforeAll(async () => {
    app = await createTestApp();
    tokens.admin = await app.signUp();
    for (const role of ['viewer', 'operator'] as const) {
      const payload = { name: role, role };
      const answer = await app.inject({
        method: 'POST',
        url: '/api/api-keys',
        headers: bearer(tokens.admin),
        payload,
      });
      tokens[role] = answer.json().data.key;
    }
    const node = await app.inject({
      method: 'POST',
      url: '/api/nodes',
      headers: bearer(tokens.admin),
      payload: { name: 'n1' },
    });
    agentToken = node.json().data.token;
  });
  afterAll(() => app.close());

  const send = (route: RouteContract, headers: Record<string, string>) =>
    app.inject({
      method: route.method,
      url: urlOf(route),
      headers: { ...headers, ...(route.bodyLimit === 'raw' ? { 'content-type': 'application/octet-stream' } : {}) },
    });

  it('is bound', async () => {
    for (const route of routes) {
      expect(app.fastify.hasRoute({ method: route.method, url: route.path }), `${route.method} ${route.path}`).toBe(
        true,
      );
    }
  });

  it('refuses callers without a credential', async () => {
    for (const route of routes.filter((one) => one.access !== 'public')) {
      const answer = await send(route, {});
      const isHeartbeat = route.path.endsWith('/heartbeat');
      const expected = isHeartbeat
        ? 'INVALID_INPUT'
        : route.access === 'agent'
          ? 'NODE_INVALID_TOKEN'
          : 'AUTH_REQUIRED';
      expect(answer.json().code, `${route.method} ${route.path}`).toBe(expected);
    }
  });

  it('refuses agent tokens on console routes and console credentials on agent routes', async () => {
    for (const route of routes.filter((one) => one.access !== 'public')) {
      const where = `${route.method} ${route.path}`;
      if (route.access === 'agent') {
        for (const token of Object.values(tokens)) {
          expect((await send(route, bearer(token))).json().code, where).toBe('NODE_INVALID_TOKEN');
          expect((await send(route, { 'x-api-key': token })).statusCode, where).toBeGreaterThanOrEqual(400);
        }
      } else {
        expect((await send(route, bearer(agentToken))).json().code, where).toBe('AUTH_REQUIRED');
        expect((await send(route, { 'x-agent-token': agentToken })).json().code, where).toBe('AUTH_REQUIRED');
      }
    }
  });

  it('lets exactly the roles of the contract through', async () => {
    for (const route of routes.filter((one) => one.access !== 'public' && one.access !== 'agent' && !isStream(one))) {
      for (const role of ['viewer', 'operator', 'admin'] as const) {
        // Logging the administrator out would end the test early.
        if (role === 'admin' && route.path === '/api/auth/logout') continue;
        const answer = await send(route, bearer(tokens[role]));
        const isRefused = answer.statusCode === 403 && answer.json().code === 'AUTH_FORBIDDEN';
        expect(isRefused, `${role} ${route.method} ${route.path}`).toBe(!roleAllows(role, route.access as Role));
        expect(answer.statusCode, `${role} ${route.method} ${route.path}: ${answer.body}`).not.toBe(500);
      }
    }
  });

  it('writes an audit entry for a refused change', async () => {
    await app.inject({ method: 'DELETE', url: '/api/users/5', headers: bearer(tokens.viewer) });
    const audit = await app.inject({
      url: '/api/audit-logs?action=user.delete&username=viewer',
      headers: bearer(tokens.admin),
    });
    expect(audit.json().data.items[0]).toMatchObject({
      target: '5',
      outcome: 'failure',
      detail: 'AUTH_FORBIDDEN',
      via: 'api_key',
    });
  });
});
