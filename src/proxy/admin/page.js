'use strict';
// Asks for /backends every second and writes what has changed into the table that the server made.
const EVERY = 1000, TIMEOUT = 5000;
const notice = document.getElementById('notice');
const key = (pool, backend) => pool + '\n' + backend;
const rows = new Map();
for (const row of document.querySelectorAll('tr[data-backend]')) {
  rows.set(key(row.closest('section').dataset.pool, row.dataset.backend), row);
}
let before = null, answered = Date.now(), token = null;

function put(place, text) {
  if (place && place.textContent !== text) place.textContent = text;
}

function milliseconds(value) {
  return value === 0 ? '–' : value < 10 ? value.toFixed(2) + ' ms' : value.toFixed(0) + ' ms';
}

function clock(all) {
  const two = (number) => String(Math.floor(number)).padStart(2, '0');
  const days = Math.floor(all / 86400);
  return (days ? days + ' d ' : '') + two(all / 3600 % 24) + ':' + two(all / 60 % 60) + ':' + two(all % 60);
}

function showBackend(row, now, last, seconds) {
  const cell = (column) => row.querySelector('td[data-column="' + column + '"]');
  if (row.className !== now.state) row.className = now.state;
  put(cell('state'), now.state_text);
  put(cell('share'), now.share.toFixed(0) + ' %');
  put(cell('active'), 'max' in now ? now.active + ' of ' + now.max : String(now.active));
  put(cell('requests'), String(now.requests));
  // Fewer than before: the backend has gone and come back, and counts anew.
  const known = last && last.requests <= now.requests;
  put(cell('per s'), known ? ((now.requests - last.requests) / seconds).toFixed(0) : '–');
  for (const [column, count, earlier] of [
    ['failures', now.failures, last && last.failures],
    ['5xx', now.responses['5xx'], last && last.responses['5xx']],
  ]) {
    put(cell(column), String(count));
    cell(column).classList.toggle('rising', Boolean(known) && count > earlier);
  }
  put(cell('p50'), milliseconds(now.latency_ms.p50));
  put(cell('p99'), milliseconds(now.latency_ms.p99));
  row.querySelector('.drain').hidden = now.state === 'draining';
  row.querySelector('.enable').hidden = now.state !== 'draining' && now.state !== 'ejected';
}

function show(listing) {
  const at = performance.now(), all = new Map();
  let out = 0;
  for (const pool of listing.pools) {
    for (const backend of pool.backends) {
      all.set(key(pool.name, backend.name), backend);
      out += backend.usable ? 0 : 1;
    }
  }
  const pools = document.querySelectorAll('section[data-pool]');
  if (all.size !== rows.size || pools.length !== listing.pools.length || [...all.keys()].some((name) => !rows.has(name))) {
    location.reload();
    return;
  }
  const seconds = before ? (at - before.at) / 1000 : 0;
  for (const [name, backend] of all) {
    showBackend(rows.get(name), backend, before && before.all.get(name), seconds);
  }
  for (const section of pools) {
    const pool = listing.pools.find((one) => one.name === section.dataset.pool);
    if (!pool) continue;
    const count = pool.backends.length;
    section.className = pool.usable === 0 ? 'out' : pool.usable < count ? 'part' : 'well';
    put(section.querySelector('.summary'), pool.usable === 0 ? 'no backend in service' : pool.usable + ' of ' + count + ' in service');
    put(section.querySelector('.waiting'), String(pool.waiting));
  }
  put(document.getElementById('uptime'), clock(listing.uptime_s));
  document.title = (out ? out + ' out - ' : '') + 'load-balancer';
  before = { at, all };
}

function say(text) {
  notice.hidden = !text;
  put(notice, text);
}

let told = '';
async function look() {
  try {
    const reply = await fetch('/backends', { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT) });
    if (!reply.ok) throw new Error(reply.status);
    show(await reply.json());
    answered = Date.now();
    say(told);
  } catch (error) {
    const age = Math.round((Date.now() - answered) / 1000);
    say('The load balancer does not answer. What is shown is ' + age + ' s old.');
  }
  setTimeout(look, EVERY);
}

function post(action) {
  const headers = { 'X-Requested-By': 'status-page' };
  if (token) headers.Authorization = 'Bearer ' + token;
  return fetch(action, { method: 'POST', headers, signal: AbortSignal.timeout(TIMEOUT) });
}

document.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    let reply = await post(form.action);
    if (reply.status === 403 && document.body.dataset.token === 'true') {
      token = prompt((await reply.clone().text()) + '\nToken:');
      if (token) reply = await post(form.action);
    }
    told = reply.ok ? '' : await reply.text();
  } catch (error) {
    told = 'The load balancer does not answer: nothing was changed that is known of.';
  }
  say(told);
  form.closest('details').open = false;
});

look();
