// Runs the cases in the module that is given by its path, and prints how each ends.

const { names, run } = require(require("node:path").resolve(process.argv[2]));

let failed = 0;
const all = names();
all.forEach((name, index) => {
  let problem;
  try {
    problem = run(index);
  } catch (error) {
    problem = String(error);
  }
  console.log(`test ${name} ... ${problem === undefined ? "ok" : "FAILED"}`);
  if (problem !== undefined) {
    failed += 1;
    console.log(problem);
  }
});
console.log(`${all.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
