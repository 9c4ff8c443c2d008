// Compiles Settlement.sol with the solc of package-lock.json and writes what is committed:
//   Settlement.json  abi, bytecode, compiler and settings, for people and tools
//   Settlement.bin   the same bytecode, for include_bytes!
// With --check it writes nothing and exits with 1 where the committed files differ.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import solc from "solc";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const settings = {
  evmVersion: "shanghai",
  viaIR: true,
  optimizer: { enabled: true, runs: 1000000 },
  // Nothing in the bytecode but code, so that it depends on the source and the compiler alone.
  metadata: { bytecodeHash: "none", appendCBOR: false },
};
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "Settlement.sol": { content: readFileSync(path("Settlement.sol"), "utf8") } },
      settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
    }),
  ),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) process.exit(1);

const { abi, evm } = output.contracts["Settlement.sol"].Settlement;
const json = { abi, bytecode: `0x${evm.bytecode.object}`, solc: solc.version(), settings };
const files = {
  "Settlement.json": Buffer.from(`${JSON.stringify(json, null, 2)}\n`),
  "Settlement.bin": Buffer.from(evm.bytecode.object, "hex"),
};
for (const [name, content] of Object.entries(files)) {
  if (!process.argv.includes("--check")) {
    writeFileSync(path(name), content);
  } else if (!readFileSync(path(name)).equals(content)) {
    console.error(`${name} is not what Settlement.sol compiles to; run: node compile.mjs`);
    process.exitCode = 1;
  }
}
