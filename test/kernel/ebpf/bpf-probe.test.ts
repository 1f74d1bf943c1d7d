import { describe, expect, it } from "vitest";
import { bpfError, openGate } from "../../../src/kernel/ebpf/bpf-call.js";
import { judgeBpfError } from "../../../src/kernel/ebpf/probe.js";
import { InternalError } from "../../../src/model/errors.js";

const ERRNO = { EPERM: 1, ENOMEM: 12, EINVAL: 22, EACCES: 13, EMFILE: 24, ENOSYS: 38 };

describe("what an error says of the machine", () => {
  it.each([
    ["EPERM", "unknown"],
    ["ENOMEM", "unknown"],
    ["EMFILE", "unknown"],
    ["EINVAL", "missing in kernel"],
    ["EACCES", "missing in kernel"],
    ["ENOSYS", "missing in kernel"],
  ] as const)("%s: %s", (errno, outcome) => {
    const error = bpfError(-ERRNO[errno], "attach x");
    expect(judgeBpfError(error)).toEqual({ outcome, evidence: error.message });
  });

  it("is missing in the tool without koffi", () => {
    try {
      openGate(() => {
        throw new Error("no koffi");
      });
      expect.unreachable();
    } catch (error) {
      expect(judgeBpfError(error)).toMatchObject({ outcome: "missing in tool" });
    }
  });

  it("hides no defect", () => {
    expect(() => judgeBpfError(new InternalError("INTERNAL_TEST", "a defect"))).toThrow("a defect");
  });
});
