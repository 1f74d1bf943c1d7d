import { describe, expect, it } from "vitest";
import { CALLEE, CALLER, description, flows, type Lines } from "../descriptions.js";

const audio = (port: number, ...lines: Lines): Lines => [`m=audio ${port} RTP/AVP 0`, ...lines];

/** `toward: whose networks`, of the RTP flows. */
function mandatory(offered: Lines, answered?: Lines, offerer: "caller" | "callee" = "caller"): readonly string[] {
  const answer = answered === undefined ? undefined : description(CALLEE, audio(6000, ...answered));
  return flows(description(CALLER, audio(4000, ...offered)), answer, { offerer })
    .filter(({ component }) => component === "rtp")
    .map((flow) => `${flow.toward}: ${(flow.mandatory ?? []).join(" and ")}`);
}

const NOBODY = ["caller: ", "callee: "];
const BOTH = ["caller: caller and callee", "callee: caller and callee"];

describe("networks that have to reserve first (RFC 3312)", () => {
  it("are both for the whole way, in the directions that are desired", () => {
    expect(mandatory(["a=des:qos mandatory e2e sendrecv"])).toEqual(BOTH);
    expect(mandatory(["a=des:qos mandatory e2e send"])).toEqual(["caller: ", "callee: caller and callee"]);
    expect(mandatory(["a=des:qos mandatory e2e recv"])).toEqual(["caller: caller and callee", "callee: "]);
    expect(mandatory(["a=des:qos mandatory e2e none"])).toEqual(NOBODY);
  });

  it("are the writer's own for `local`, the other's for `remote`", () => {
    expect(mandatory(["a=des:qos mandatory local sendrecv", "a=des:qos none remote sendrecv"])).toEqual([
      "caller: caller",
      "callee: caller",
    ]);
    expect(mandatory(["a=des:qos mandatory remote recv"])).toEqual(["caller: callee", "callee: "]);
    expect(mandatory(["a=des:qos mandatory local send"], undefined, "callee")).toEqual(["callee: ", "caller: callee"]);
  });

  it("are nobody's where it is optional, or said of what failed", () => {
    for (const strength of ["optional", "none", "failure", "unknown"]) {
      expect(mandatory([`a=des:qos ${strength} e2e sendrecv`])).toEqual(NOBODY);
    }
  });

  it("are raised by the answer, with its own point of view (§5.2), and not lowered", () => {
    expect(mandatory(["a=des:qos none e2e sendrecv"], ["a=des:qos mandatory local send"])).toEqual([
      "caller: callee",
      "callee: ",
    ]);
    expect(mandatory(["a=des:qos mandatory e2e sendrecv"], ["a=des:qos optional e2e sendrecv"])).toEqual(BOTH);
  });

  it("are nobody's once the answer does not speak of preconditions", () => {
    expect(mandatory(["a=des:qos mandatory e2e sendrecv"], [])).toEqual(NOBODY);
  });

  it("are those of all media that share a flow", () => {
    const lines = (port: number, ...more: Lines): Lines => [`m=video ${port} UDP x`, ...audio(port, ...more)];
    const made = flows(description(CALLER, lines(4000, "a=des:qos mandatory local sendrecv")));
    expect(made.some((flow) => flow.toward === "caller" && flow.mandatory?.join() === "caller")).toBe(true);
  });
});
