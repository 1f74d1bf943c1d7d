import { describe, expect, it } from "vitest";
import { Attributes, bpfError, errnoName, openGate, syscallNumber, tryBpf } from "../../../src/kernel/ebpf/bpf-call.js";
import { KernelError } from "../../../src/model/errors.js";

const thrownBy = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (error) {
    return error;
  }
};

describe("the way to bpf(2)", () => {
  it("knows the numbers of the call", () => {
    // asm/unistd.h of each.
    expect(["x64", "arm64", "riscv64", "loong64", "ppc64"].map((machine) => syscallNumber(machine, "LE"))).toEqual([
      321, 280, 280, 280, 361,
    ]);
  });

  it.each([
    ["mips", "LE"],
    ["s390x", "BE"],
    ["ppc64", "BE"],
  ] as const)("refuses %s (%s) with the remedy", (machine, order) => {
    const error = thrownBy(() => syscallNumber(machine, order));
    expect(error).toBeInstanceOf(KernelError);
    expect(error).toMatchObject({ code: "KERNEL_UNSUPPORTED", remedy: expect.stringContaining("nftables") });
  });

  it("says what to do where koffi is missing", () => {
    const cause = new Error("Cannot find module 'koffi'");
    const error = thrownBy(() =>
      openGate(() => {
        throw cause;
      }),
    );
    expect(error).toMatchObject({ code: "KERNEL_UNSUPPORTED", cause, remedy: expect.stringContaining("koffi") });
  });

  it("gives the kernel's error for a command that does not exist", () => {
    expect(["EINVAL", "EPERM"]).toContain(errnoName(-tryBpf(9999, new Attributes(16))));
  });
});

describe("errors", () => {
  it("names what the kernel numbers", () => {
    expect([2, 7, 11, 17, 95, 524, 9999].map(errnoName)).toEqual([
      "ENOENT",
      "E2BIG",
      "EAGAIN",
      "EEXIST",
      "EOPNOTSUPP",
      "ENOTSUPP",
      "errno 9999",
    ]);
  });

  it("tells a missing right from a refusal", () => {
    const denied = bpfError(-1, "load the program x");
    expect(denied).toMatchObject({
      code: "KERNEL_PERMISSION",
      detail: { operation: "load the program x", errno: "EPERM" },
    });
    expect(denied.remedy).toContain("CAP_BPF");
    const refused = bpfError(-7, "set in the map y");
    expect(refused).toMatchObject({ code: "KERNEL_REFUSED", message: "set in the map y: E2BIG" });
  });
});

describe("attributes", () => {
  it("puts fields where they belong, zeros elsewhere", () => {
    const pointed = Buffer.alloc(64);
    const attributes = new Attributes(30)
      .setU32(4, 0xfffffffe)
      .setU64(8, 2n ** 63n + 1n)
      .setPointer(16, pointed);
    expect(attributes.length).toBe(32);
    expect([0, 4, 24, 28].map((at) => attributes.u32(at))).toEqual([0, 0xfffffffe, 0, 0]);
    expect(attributes.u64(8)).toBe(2n ** 63n + 1n);
    expect(attributes.u64(16)).not.toBe(0n);
  });

  it("points to the octets, not to the buffer that they are part of", () => {
    const whole = Buffer.alloc(64);
    const [first, second] = [
      new Attributes(8).setPointer(0, whole),
      new Attributes(8).setPointer(0, whole.subarray(24)),
    ];
    expect(second.u64(0) - first.u64(0)).toBe(24n);
  });

  it("takes names that the kernel takes", () => {
    expect(Buffer.from(new Attributes(24).setName(8, "sluice_flows4.").octets).toString("latin1", 8, 23)).toBe(
      "sluice_flows4.\0",
    );
    for (const name of ["", "a-b", "sixteen_octets_0", "é"]) {
      expect(() => new Attributes(24).setName(8, name), name).toThrow(RangeError);
    }
  });
});
