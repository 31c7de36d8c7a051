// Keeps the page as the server says it is. One tab of a browser holds the stream and tells the others, because a browser
// opens six connections to a server at most.
'use strict';

const $ = id => document.getElementById(id);
const shown = 200; // requests
let ahead = 0; // of the server's wall clock before the browser's, in milliseconds

// The server's markup, in which every text is escaped, becomes part of the page without losing what the user is at.
function morph(from, to) {
  const keyed = new Map([...from.children].filter(child => child.id).map(child => [child.id, child]));
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    let node = null;
    if (next.id) node = keyed.get(next.id);
    else if (at && !at.id && at.nodeName === next.nodeName) node = at;
    if (!node) {
      from.insertBefore(next, at);
      continue;
    }
    if (node === at) at = at.nextSibling;
    else from.insertBefore(node, at);
    update(node, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function update(node, next) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== next.nodeValue) node.nodeValue = next.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) if (!next.hasAttribute(name) && name !== 'open') node.removeAttribute(name);
  for (const { name, value } of next.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  morph(node, next);
}

const parse = html => new DOMParser().parseFromString('<div>' + html + '</div>', 'text/html').body.firstChild;

function options(html) {
  const chosen = $('services').value;
  const list = new DOMParser().parseFromString('<select>' + html + '</select>', 'text/html').querySelector('select');
  morph($('services'), list);
  if ([...$('services').options].some(o => o.value === chosen)) $('services').value = chosen;
}

function receive(message) {
  if (message.wall) ahead = message.wall - Date.now();
  if (!message.part) return;
  const box = $(message.part);
  const focused = document.activeElement;
  const inside = box.contains(focused);
  if (message.part === 'requests') addRequests(box, message);
  else if (message.part === 'services') options(message.html);
  else {
    const before = new Set([...box.querySelectorAll('[data-push]')].map(push => push.id));
    morph(box, parse(message.html));
    for (const push of box.querySelectorAll('[data-push]')) if (!before.has(push.id)) announce(push);
  }
  if (inside && document.activeElement !== focused) {
    const again = focused.id && $(focused.id) || $(message.part + '-title');
    if (again) again.focus({ preventScroll: true });
  }
  prepare(box);
  tick();
}

function addRequests(box, message) {
  const fresh = new DOMParser().parseFromString('<ol>' + message.html + '</ol>', 'text/html').querySelector('ol');
  if (message.all) box.replaceChildren(...fresh.children);
  else box.prepend(...[...fresh.children].filter(row => !$(row.id)));
  while (box.children.length > shown) box.lastElementChild.remove();
}

function announce(push) {
  document.querySelector('.phones').scrollLeft = 0; // where the phones that are asked something are
  say($('said'), 'Push on ' + push.closest('article').getAttribute('aria-label') + ': ' + push.dataset.push);
}

let fading;
function say(box, text) {
  $('said').textContent = $('problem').textContent = '';
  box.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => { box.textContent = ''; }, 8000);
}

// Time, as the simulator has it.
function now() {
  const clock = $('now').dataset;
  return clock.frozen ? Number(clock.frozen) : Date.now() + ahead + Number(clock.ahead);
}

function tick() {
  const time = now();
  $('now').textContent = new Date(time).toISOString().slice(0, 19).replace('T', ' ');
  for (const end of document.querySelectorAll('[data-expires]')) {
    const left = Math.max(0, Math.ceil((end.dataset.expires - time) / 1000));
    const text = left >= 3600 ? Math.floor(left / 3600) + ' h ' + Math.floor(left % 3600 / 60) + ' min left'
      : Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0') + ' left';
    if (end.textContent !== text) end.textContent = text;
    end.classList.toggle('soon', left <= 30);
  }
}

// The stream.
function listen(tell) {
  let source;
  const open = () => {
    if (source) source.close();
    source = new EventSource('/__page/stream');
    source.onopen = () => tell({ live: true });
    source.onerror = () => {
      tell({ live: false });
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    };
    source.onmessage = event => tell(JSON.parse(event.data));
  };
  open();
  return open; // again, which sends everything
}

function hear(message) {
  if ('live' in message) {
    $('live').hidden = false;
    $('live').textContent = message.live ? 'Live' : 'Reconnecting…';
    $('live').classList.toggle('lost', !message.live);
  } else receive(message);
}

function share() {
  const channel = new BroadcastChannel('verifyctl-simulator');
  let again;
  channel.onmessage = ({ data }) => {
    if (data.hello) { if (again) again(); } else hear(data);
  };
  navigator.locks.request('verifyctl-simulator', () => {
    again = listen(message => { channel.postMessage(message); hear(message); });
    return new Promise(() => {}); // until the tab is closed, when the next one takes over
  });
  channel.postMessage({ hello: true });
}

// What the user does.
async function submit(event) {
  const form = event.target;
  if (form.method !== 'post') return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const reply = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
    const said = await reply.json();
    if (said.problem) return say($('problem'), said.problem);
    say($('said'), said.done);
    if (form.id === 'enroll') $('identity').value = '';
    if (form.closest('#reset')) $('reset').open = false;
  } catch {
    say($('problem'), 'The simulator does not answer. Is it still running?');
  }
}

async function click(event) {
  const copied = event.target.closest('[data-copy]');
  if (copied) {
    await navigator.clipboard.writeText(copied.parentElement.querySelector('pre').textContent);
    return say($('said'), 'Copied');
  }
  const link = event.target.closest('a[data-detail]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const text = await (await fetch(link.href)).text();
  const detail = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
  detail.querySelector('.back').remove();
  const close = document.createElement('button');
  close.className = 'small close';
  close.textContent = 'Close';
  close.onclick = () => $('detail').close();
  const box = document.createElement('div');
  box.append(close, ...detail.childNodes);
  $('detail').replaceChildren(box);
  prepare(box);
  $('detail').showModal();
}

function prepare(box) {
  if (navigator.clipboard) for (const button of box.querySelectorAll('[data-copy]')) button.hidden = false;
}

document.addEventListener('submit', submit);
document.addEventListener('click', click);
$('detail').addEventListener('click', event => { if (event.target === $('detail')) $('detail').close(); });
prepare(document);
tick();
setInterval(tick, 500);
if (navigator.locks && window.BroadcastChannel) share();
else listen(hear); // under a name that the browser does not trust, every tab has its own
