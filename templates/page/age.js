"use strict";
// How long ago the last look was. Without this script the page says when it was.
const age = document.getElementById("age");
const tell = () => {
  const seconds = Date.now() / 1000 - Number(age.dataset.at);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const ago = minutes < 60 ? `${minutes} min ago` : hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`;
  const late = seconds > Number(age.dataset.patience);
  age.textContent = seconds < 60 ? "just now" : late ? `${ago}: nobody has looked since` : ago;
  age.classList.toggle("late", late);
};
if (age) { tell(); setInterval(tell, 15000); }
