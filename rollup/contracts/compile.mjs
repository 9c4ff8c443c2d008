// Compiles Settlement.sol with the solc of package-lock.json and writes what is committed:
//   Settlement.json         abi, bytecode, compiler and settings, for people and tools
//   Settlement.bin          the same bytecode, for include_bytes!
//   Settlement.runtime.bin  the code that then stands at the contract's address; where a word n of the verification key
//                           goes, it has 31 bytes 0xa7 and n
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
const outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"];
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "Settlement.sol": { content: readFileSync(path("Settlement.sol"), "utf8") } },
      settings: { ...settings, outputSelection: { "*": { "*": outputs } } },
    }),
  ),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) process.exit(1);

const { abi, evm } = output.contracts["Settlement.sol"].Settlement;
const json = { abi, bytecode: `0x${evm.bytecode.object}`, solc: solc.version(), settings };
// The key's words are the contract's only immutables; their ids ascend in the order in which they are declared.
const runtime = Buffer.from(evm.deployedBytecode.object, "hex");
const immutables = Object.entries(evm.deployedBytecode.immutableReferences).sort(([a], [b]) => a - b);
immutables.forEach(([, places], word) => {
  for (const { start, length } of places) runtime.fill(0xa7, start, start + length).writeUInt8(word, start + length - 1);
});
const files = {
  "Settlement.json": Buffer.from(`${JSON.stringify(json, null, 2)}\n`),
  "Settlement.bin": Buffer.from(evm.bytecode.object, "hex"),
  "Settlement.runtime.bin": runtime,
};
for (const [name, content] of Object.entries(files)) {
  if (!process.argv.includes("--check")) {
    writeFileSync(path(name), content);
  } else if (!readFileSync(path(name)).equals(content)) {
    console.error(`${name} is not what Settlement.sol compiles to; run: node compile.mjs`);
    process.exitCode = 1;
  }
}
