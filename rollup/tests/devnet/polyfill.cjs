// Node 20 has no `Promise.withResolvers`, which a dependency of the beacon node calls.
"use strict";

Promise.withResolvers ??= function withResolvers() {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
