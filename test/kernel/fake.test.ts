import { FakeKernel } from "../../src/kernel/fake.js";
import { describeKernelContract } from "./contract.js";
import { link } from "./fixtures.js";

describeKernelContract("fake", async () => {
  const kernel = new FakeKernel();
  return { kernel, interfaces: [link("wan0"), link("lan0", 100_000)], reopen: async () => kernel.reopen() };
});
