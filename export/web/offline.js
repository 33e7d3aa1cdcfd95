/** Whether the page comes from an older version of the site that was kept. */
export function isOutdated(version) {
  const kept = navigator.serviceWorker?.controller;
  return Boolean(kept) && new URL(kept.scriptURL).searchParams.get("version") !== version;
}

/**
 * Keeps the page for use without a network.
 *
 * @param {string} version the site's.
 * @returns {Promise<boolean>} whether it is kept; false where the browser keeps nothing.
 */
export async function keepOffline(version) {
  if (!("serviceWorker" in navigator)) return false;
  try {
    // Another version is another script, which browsers then install.
    const { installing, waiting, active } = await navigator.serviceWorker.register(
      `service_worker.js?version=${version}`,
    );
    const worker = installing ?? waiting ?? active;
    await activated(worker);
    const used = performance.getEntriesByType("resource").map(({ name }) => name);
    const kept = new MessageChannel();
    const answer = new Promise((resolve) => {
      kept.port1.onmessage = ({ data }) => resolve(data);
    });
    worker.postMessage(used, [kept.port2]);
    return await answer;
  } catch {
    return false;
  }
}

function activated(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("the site's files were not kept"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
