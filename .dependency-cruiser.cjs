/** The arrows of the house (docs/ARCHITECTURE.md): checked in CI by `npm run arrows`. */
const PROTOCOL = "cops|sip|osp|rsvp|stamp";
const SHARED = "kernel|store|config|telemetry|control|http";
const ROLE = "pdp|pep|clearinghouse|portal";

const only = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^src/", pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphan-packages", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("model-imports-nothing", "^src/model/", "^src/model/"),
    { name: "model-is-pure", severity: "error", from: { path: "^src/model/" }, to: { dependencyTypes: ["npm"] } },
    // $1 is the folder that the importing file lives in.
    only("protocols-stand-alone", `^src/(${PROTOCOL})/`, "^src/(model|$1)/"),
    only("shared-folders-stand-alone", `^src/(${SHARED})/`, "^src/(model|$1)/"),
    only("roles-use-layers-below", `^src/(${ROLE})/`, `^src/(model|${PROTOCOL}|${SHARED}|$1)/`),
    {
      name: "router-pep-sees-only-the-kernel-port",
      severity: "error",
      from: { path: "^src/pep/router/" },
      to: { path: "^src/kernel/", pathNot: "^src/kernel/port\\.ts$" },
    },
    {
      name: "pep-rooms-are-separate",
      severity: "error",
      from: { path: "^src/pep/router/" },
      to: { path: "^src/pep/sip/" },
    },
    {
      name: "pep-rooms-are-separate-2",
      severity: "error",
      from: { path: "^src/pep/sip/" },
      to: { path: "^src/pep/router/" },
    },
    // It runs in browsers: what it shares with the servers is the vocabulary and the shapes of answers.
    only("page-stands-alone", "^src/portal/web/", "^src/((model|control|portal/web)/|portal/api/shapes\\.ts$)"),
    {
      name: "servers-do-not-run-the-page",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/portal/web/" },
      to: { path: "^src/portal/web/" },
    },
    only("lab-measures-from-outside", "^src/lab/", "^src/(model|lab)/"),
    only("daemon-composes", "^src/daemon/", `^src/(model|${PROTOCOL}|${SHARED}|${ROLE}|daemon)/`),
    only("cli-reaches-roles-through-control", "^src/cli/", "^src/(model|config|control|telemetry|daemon|lab|cli)/"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
