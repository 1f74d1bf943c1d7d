/** How hard the property and fuzz tests try: a sample in `npm test`, by the ten thousand in `npm run soak`. */
import fc from "fast-check";

const runs = Number(process.env.SLUICE_FUZZ_RUNS ?? "");
if (runs > 0) fc.configureGlobal({ numRuns: runs });
