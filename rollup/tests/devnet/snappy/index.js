// What the beacon node's gossip needs of `snappy`: the native module of that name is built at installation, this is not.
"use strict";

const snappyjs = require("snappyjs");

const compressSync = (data) => Buffer.from(snappyjs.compress(Buffer.from(data)));
const uncompressSync = (data, options) => {
  const bytes = Buffer.from(snappyjs.uncompress(Buffer.from(data)));
  return options?.asBuffer === false ? bytes.toString("utf8") : bytes;
};

// Version 6 answers by callback, and never before it has returned.
function later(work, done) {
  setImmediate(() => {
    let result;
    try {
      result = work();
    } catch (error) {
      done(error);
      return;
    }
    done(null, result);
  });
}

module.exports = {
  compressSync,
  uncompressSync,
  compress: (data, done) => later(() => compressSync(data), done),
  uncompress: (data, options, done) =>
    typeof options === "function" ? later(() => uncompressSync(data), options) : later(() => uncompressSync(data, options), done),
};
