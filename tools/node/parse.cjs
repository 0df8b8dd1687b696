// Read AsyncAPI documents with the official parser. Exit status 1 when it finds an error or a warning in any of them.
const { Parser, fromFile } = require("@asyncapi/parser");

async function check(path) {
  const { document, diagnostics } = await fromFile(new Parser(), path).parse();
  const faults = diagnostics.filter((one) => one.severity <= 1);
  for (const one of faults) {
    console.error(`${path}:${one.range.start.line + 1}: ${one.path.join(".")}: ${one.message} (${one.code})`);
  }
  if (!document || faults.length) return false;
  console.log(`${path}: ${document.operations().all().length} operations, ${document.messages().all().length} messages`);
  return true;
}

Promise.all(process.argv.slice(2).map(check)).then(
  (passed) => process.exit(passed.length > 0 && passed.every(Boolean) ? 0 : 1),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
