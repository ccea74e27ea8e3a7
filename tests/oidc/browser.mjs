#!/usr/bin/env node
// A browser of the fewest words: opens the URL it is given, follows redirects, keeps
// cookies, and fills in the first form it meets as SEKISHO_TEST_LOGIN. For loopback only.
const login = process.env.SEKISHO_TEST_LOGIN;
const cookies = new Map();
let [url, form, hops] = [process.argv[2], undefined, 0];

while (hops++ < 20) {
  if (!['127.0.0.1', 'localhost'].includes(new URL(url).hostname)) throw new Error(`not on this machine: ${url}`);
  const answer = await fetch(url, {
    redirect: 'manual',
    method: form ? 'POST' : 'GET',
    body: form,
    headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
  });
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value) cookies.set(name, value);
    else cookies.delete(name);
  }
  const page = await answer.text();
  const next = answer.headers.get('location');
  if (next) [url, form] = [new URL(next, url).href, undefined];
  else if (!form && page.includes('<form')) form = new URLSearchParams({ login });
  else process.exit(answer.ok ? 0 : 1);
}
throw new Error('redirected without end');
