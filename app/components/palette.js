// The search dialog: type, arrows or Tab, Enter. Python gets each text as state `query` and gives hits back as data;
// Enter on a hit hands its address back as trigger `open`, so that the page changes without a reload.
const WAIT_MS = 140;

function build(root) {
  const $ = (selector) => root.querySelector(selector);
  const me = { box: $('dialog'), input: $('input'), list: $('.list'), said: $('.said'), data: { query: '', groups: [] } };
  const options = () => [...me.list.querySelectorAll('a')];
  const chosen = () => options().findIndex((one) => one.getAttribute('aria-selected') === 'true');

  const choose = (number) => {
    const all = options();
    all.forEach((one, i) => one.setAttribute('aria-selected', String(i === number)));
    const one = all[number];
    me.input.setAttribute('aria-activedescendant', one ? one.id : '');
    if (one) one.scrollIntoView({ block: 'nearest' });
  };
  const ask = (text) => {
    clearTimeout(me.timer);
    me.timer = setTimeout(() => { if (text !== me.asked) { me.asked = text; me.state('query', text); } }, WAIT_MS);
  };
  const text = () => me.input.value.trim();

  me.open = () => {
    if (me.box.open || document.querySelector('[data-testid="stDialog"]')) return;
    me.input.value = '';
    ask('');
    me.box.showModal();
    me.input.focus();
    me.draw();
  };
  const go = (one) => { me.box.close(); me.trigger('open', one.getAttribute('href')); };

  me.draw = () => {
    const current = me.data.query === text();
    if (!current) {  // what stands there stays until the answer comes
      me.said.textContent = 'Searching…';
      return;
    }
    me.list.textContent = '';
    let number = 0;
    for (const group of me.data.groups) {
      const part = document.createElement('div');
      part.setAttribute('role', 'group');
      part.setAttribute('aria-label', group.label);
      const head = document.createElement('p');
      head.textContent = group.label;
      head.setAttribute('aria-hidden', 'true');
      part.append(head);
      for (const hit of group.hits) {
        const link = document.createElement('a');
        link.href = hit.href;
        link.id = `hit-${number}`;
        number += 1;
        link.setAttribute('role', 'option');
        link.setAttribute('aria-selected', 'false');
        const title = document.createElement('b');
        const detail = document.createElement('span');
        title.textContent = hit.title;
        detail.textContent = hit.detail;
        link.append(title, detail);
        link.addEventListener('click', (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // a new tab, as with any link
          event.preventDefault();
          go(link);
        });
        link.addEventListener('mousemove', () => { if (link.getAttribute('aria-selected') !== 'true') choose(options().indexOf(link)); });
        link.addEventListener('focus', () => choose(options().indexOf(link)));
        part.append(link);
      }
      me.list.append(part);
    }
    const empty = number === 0;
    me.list.hidden = empty;
    me.input.setAttribute('aria-expanded', String(!empty));
    me.said.textContent = me.data.said;
    me.said.className = empty ? 'said nothing' : 'said';
    choose(empty ? -1 : 0);
  };

  $('.open').addEventListener('click', me.open);
  $('.close').addEventListener('click', () => me.box.close());
  me.box.addEventListener('click', (event) => { if (event.target === me.box) me.box.close(); });
  me.input.addEventListener('input', () => { ask(text()); me.draw(); });
  me.box.addEventListener('keydown', (event) => {
    event.stopPropagation();  // Streamlit reads single letters of the page as its own shortcuts
    const all = options();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      event.preventDefault();
      choose((chosen() + step + all.length) % all.length);
      me.input.focus();
    } else if (event.key === 'Enter' && root.activeElement === me.input) {
      event.preventDefault();
      const one = all[chosen()];
      if (one && me.data.query === text()) go(one);
      else me.eager = true;  // Enter came before the answer: open its first hit
    }
  });
  me.onkey = (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      me.open();
    }
  };
  me.answer = (data) => {
    me.data = data;
    if (!me.box.open) return;
    me.draw();
    if (me.eager && me.data.query === text()) {
      me.eager = false;
      const first = options()[0];
      if (first) go(first);
    }
  };
  return me;
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const me = parentElement.palette || (parentElement.palette = build(parentElement));
  me.state = setStateValue;
  me.trigger = setTriggerValue;
  document.removeEventListener('keydown', me.onkey);
  document.addEventListener('keydown', me.onkey);
  parentElement.querySelector('.open').classList.add('listening');
  me.answer(data);
  return () => document.removeEventListener('keydown', me.onkey);
}
