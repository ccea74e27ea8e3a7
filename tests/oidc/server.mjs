// A real OpenID Connect provider for the integration tests.
//
// Why: the gateway's OIDC client must be shown to work with an implementation
// that is not ours. This wraps the certified `oidc-provider` package, on
// loopback only, all state in memory, nothing written to disk.
//
// Configuration is one JSON object, in the first argument or in the variable
// SEKISHO_TEST_OIDC:
//   client:   { client_id, redirect_uris: [..], client_secret? }  no secret: a public client
//             (further client metadata, e.g. application_type, is passed on)
//   accounts: [ { login, sub, acr?, amr? } ]   acr: string, amr: list of strings
//   port?:    0 (the default) takes a free port
//   tls?:     { cert, key }  paths of PEM files; without it plain http
// Once it listens, one line of JSON goes to standard output: {"issuer":"http://127.0.0.1:PORT"}.
// It stops on SIGTERM, or when standard input closes, so that no test leaves it behind.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';

// The library reports through console.info; standard output carries the issuer line only.
console.info = console.log = console.error;
const { default: Provider } = await import('oidc-provider');

const config = parseConfig(process.argv[2] ?? process.env.SEKISHO_TEST_OIDC);
const server = config.tls
  ? https.createServer({ cert: readFileSync(config.tls.cert), key: readFileSync(config.tls.key) })
  : http.createServer();
server.listen(config.port ?? 0, '127.0.0.1', () => {
  const issuer = `${config.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, providerConfig());
  const protocol = provider.callback();
  server.on('request', (req, res) => {
    const answer = req.url.startsWith('/interaction/') ? interaction(provider, req, res) : protocol(req, res);
    Promise.resolve(answer).catch((error) => page(res, 400, `<p>${error.name}</p>`));
  });
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).resume();

function parseConfig(json) {
  const parsed = JSON.parse(json ?? '{}');
  if (!parsed.client?.client_id || !Array.isArray(parsed.accounts)) {
    console.error('usage: node server.mjs \'{"client":{..},"accounts":[{"login":..,"sub":..}]}\'');
    process.exit(2);
  }
  return parsed;
}

function providerConfig() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { accounts, client } = config;
  return {
    clients: [{
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: client.client_secret ? 'client_secret_basic' : 'none',
      ...client,
    }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'test' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    pkce: { required: () => true },
    acrValues: [...new Set(accounts.map((account) => account.acr).filter(Boolean))],
    // Always in the ID token, whether the client asks for them or not.
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, id) => {
      const account = accounts.find(({ sub }) => sub === id);
      return account && { accountId: id, claims: () => ({ sub: id }) };
    },
    // Whoever logged in has consented: the tests are about authentication.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope([...oidc.requestParamScopes].join(' '));
      await grant.save();
      return grant;
    },
  };
}

// GET shows a form with one field, `login`; POST of that field logs in.
async function interaction(provider, req, res) {
  await provider.interactionDetails(req, res);
  if (req.method !== 'POST') {
    return page(res, 200, '<form method="post"><input name="login" autofocus><button>Log in</button></form>');
  }
  const login = new URLSearchParams(await text(req)).get('login');
  const account = config.accounts.find((candidate) => candidate.login === login);
  if (!account) return page(res, 403, '<p>unknown login</p>');
  const { sub: accountId, acr, amr } = account;
  // A native client's user is asked for consent each time: whoever logged in has given it.
  return provider.interactionFinished(req, res, { login: { accountId, acr, amr }, consent: {} });
}

function page(res, status, body) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  res.end(`<!doctype html><title>Test provider</title>${body}`);
}
