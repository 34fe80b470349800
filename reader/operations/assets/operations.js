// Shows the rows that hold every word, and hides areas without any. Without this script the page
// shows all rows.
'use strict';

const form = document.querySelector('.filter');
const words = document.getElementById('words');
const which = document.getElementById('which');
const links = new Map(
  [...document.querySelectorAll('nav a')].map((link) => [link.hash.slice(1), link])
);
const areas = [...document.querySelectorAll('section')].map((section) => ({
  section,
  link: links.get(section.id),
  rows: [...section.querySelectorAll('tbody tr')].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    served: row.dataset.level === 'good' ? 'yes' : 'no',
  })),
}));

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { section, link, rows } of areas) {
    let shown = 0;
    for (const { row, text, served } of rows) {
      const fits = (!which.value || which.value === served) && wanted.every((w) => text.includes(w));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    section.hidden = link.hidden = shown === 0;
    found += shown;
  }
  document.getElementById('found').textContent =
    found === 1 ? '1 operation' : `${found} operations`;
  document.getElementById('nothing').hidden = found > 0;
}

form.hidden = false;
form.addEventListener('submit', (event) => event.preventDefault());
words.addEventListener('input', show);
which.addEventListener('change', show);
show();
