// Keeps the site's files, so that the page works without a network. Its address ends with
// the site's version; each version has a cache of its own.

const VERSION = new URL(location.href).searchParams.get("version");
const PREFIX = `grw-${registration.scope}-`;
const NAME = PREFIX + VERSION;
const SITE = new URL("site.json", registration.scope).href;
const RUNTIME = new URL("runtime/", registration.scope).href;

// Threads need an isolated page. Hosts that cannot send these headers leave it to us.
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

addEventListener("install", (event) => {
  event.waitUntil(keepSite());
});

addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers());
});

// The page says what it has loaded, such as the one build of LiteRT that it uses.
addEventListener("message", (event) => {
  const [port] = event.ports;
  event.waitUntil(
    keep(event.data).then(
      () => port.postMessage(true),
      () => port.postMessage(false),
    ),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(registration.scope)) return;
  // It tells of a newer version.
  const answer = request.url === SITE ? newest(request) : kept(request);
  event.respondWith(answer);
});

async function keepSite() {
  const { files } = await (await fetch(SITE, { cache: "no-cache" })).json();
  await keep(["./", SITE, ...files]);
  await skipWaiting();
}

async function keep(addresses) {
  const cache = await caches.open(NAME);
  const all = [...new Set(addresses.map((each) => new URL(each, registration.scope).href))];
  await Promise.all(
    all
      .filter((address) => address.startsWith(registration.scope))
      .map(async (address) => {
        if (await cache.match(address)) return;
        // The browser's own cache may hold an older version.
        const response = await fetch(address, { cache: "no-cache" });
        // The page would not work offline without it.
        if (!response.ok) throw new Error(`${address} cannot be fetched`);
        await cache.put(address, response);
      }),
  );
}

async function forgetOthers() {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
  await clients.claim();
}

async function newest(request) {
  const response = await fetch(request, { cache: "no-cache" }).catch(() => Response.error());
  if (response.ok) return response;
  // There is no network, or the host has the site no more.
  return (await (await caches.open(NAME)).match(request)) ?? response;
}

async function kept(request) {
  const cache = await caches.open(NAME);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found) return isolated(found);
  const response = await fetch(request);
  // A host may have pages of others below the site.
  if (!request.url.startsWith(RUNTIME)) return response;
  // Another build of LiteRT, for another processor.
  if (response.status === 200) await cache.put(request, response.clone());
  return isolated(response);
}

function isolated(response) {
  // Others have a body that cannot be read, or none.
  if (response.status !== 200) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, {
    headers,
    status: 200,
    statusText: response.statusText,
  });
}
