import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readEvents, runServer, type TestServer, until } from "../../../test/running-server.ts";
import type { ShownJob } from "../schemas/job.ts";

let server: TestServer;
beforeAll(async () => {
  server = await runServer({ limits: { queue: 6 } });
});
afterAll(() => server[Symbol.asyncDispose]());

/** Some seconds of work. */
const long = { prompt: "a cat", steps: 50, count: 16 };
const submit = async (request: object, headers: Record<string, string> = {}): Promise<ShownJob> =>
  (await (await server.ask("/api/jobs", request, { headers })).json()) as ShownJob;
const jobOf = async (id: string): Promise<ShownJob> => (await (await server.ask(`/api/jobs/${id}`)).json()) as ShownJob;
const cancel = (id: string) => server.ask(`/api/jobs/${id}`, undefined, { method: "DELETE" });
const finished = (id: string): Promise<ShownJob> =>
  until(async () => {
    const job = await jobOf(id);
    return job.state !== "waiting" && job.state !== "running" && job;
  });

describe("jobs", () => {
  it("are handed in, followed and done", async () => {
    const response = await server.ask("/api/jobs", { prompt: "a red apple", seed: 3, steps: 2, previews: true });
    expect(response.status).toBe(202);
    const job = (await response.json()) as ShownJob;
    expect(response.headers.get("location")).toBe(`/api/jobs/${job.id}`);
    const events = [];
    for await (const event of readEvents(await server.ask(`/api/jobs/${job.id}/events`))) events.push(event);
    expect(events.at(-1)).toMatchObject({ event: "end", data: { state: "done" } });
    const { pictures, request } = await jobOf(job.id);
    expect(pictures).toMatchObject([{ number: 0, seed: 3 }]);
    expect(request).toMatchObject({ prompt: "a red apple", model: "fourstep-64", seed: 3 });
    const png = await fetch(pictures[0]!.url);
    expect([png.status, png.headers.get("content-type")]).toEqual([200, "image/png"]);
  });

  it("are one for one key, so that a client may ask again", async () => {
    const headers = { "idempotency-key": "the very same" };
    const first = await submit({ prompt: "a", seed: 1 }, headers);
    expect((await submit({ prompt: "a", seed: 1 }, headers)).id).toBe(first.id);
    await finished(first.id);
  });

  it("come by priority, are cancelled, and refused when too many wait", async () => {
    const running = await submit(long);
    await until(async () => (await jobOf(running.id)).state === "running");
    const low = await submit({ prompt: "low", steps: 1, priority: -1 });
    const high = await submit({ prompt: "high", steps: 1, priority: 1 });
    const gone = await submit({ prompt: "gone", steps: 1, priority: 2 });
    for (let i = 0; i < 3; i++) await submit({ prompt: "more", steps: 1, priority: -2 });
    const full = await server.ask("/api/jobs", { prompt: "one too many" });
    expect([full.status, full.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await full.json()).toMatchObject({ error: { kind: "full" } });
    expect(await (await cancel(gone.id)).json()).toMatchObject({ state: "cancelled" });
    expect((await cancel(running.id)).status).toBe(200);
    expect((await finished(running.id)).state).toBe("cancelled");
    const [second, first] = [await finished(low.id), await finished(high.id)];
    expect(first.state).toBe("done");
    expect(Date.parse(first.started!)).toBeLessThan(Date.parse(second.started!));
    await until(async () => (await server.queue.counts()).waiting === 0);
  });

  it("go when the client that waits goes", async () => {
    const client = new AbortController();
    const asking = server.ask("/v1/images/generations", { prompt: "a", steps: 50, n: 16 }, { signal: client.signal });
    const job = await until(async () =>
      (await server.queue.list({ state: "running", limit: 1 })).find(({ request }) => request.count === 16),
    );
    client.abort();
    await expect(asking).rejects.toThrow();
    expect((await finished(job.id)).state).toBe("cancelled");
  });

  it("are not known by made-up names", async () => {
    expect((await server.ask("/api/jobs/none")).status).toBe(404);
    expect((await server.ask("/api/jobs/none/events")).status).toBe(404);
    expect((await cancel("none")).status).toBe(404);
  });
});

describe("drawing with a client that watches", () => {
  it("tells of steps and gives the picture within the events", async () => {
    const seen: { event: string; data: unknown }[] = [];
    for await (const event of readEvents(await server.ask("/api/draw", { prompt: "a dog", steps: 3, previews: true })))
      seen.push(event);
    const steps = seen
      .filter(({ event }) => event === "step")
      .map(({ data }) => data as { step: number; preview: string });
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3]);
    for (const { preview } of steps) expect(preview).toMatch(/^data:image\/png;base64,/);
    expect(seen.find(({ event }) => event === "picture")?.data).toMatchObject({
      number: 0,
      data: expect.stringMatching(/^data:image\/png;base64,/),
    });
    expect(seen.at(-1)?.event).toBe("end");
  });

  it("takes the job back when the client leaves", async () => {
    const client = new AbortController();
    const response = await server.ask("/api/draw", long, { signal: client.signal });
    for await (const { event } of readEvents(response)) if (event === "step") break;
    client.abort();
    const [job] = await server.queue.list({ limit: 1 });
    expect((await finished(job!.id)).state).toBe("cancelled");
  });

  it("exchanges the weights of LoRAs from one picture to the next, and comes back to the same", async () => {
    const picture = async (weight: number): Promise<string> => {
      const request = { prompt: "a red apple", seed: 4, loras: [{ name: "style-ink", weight }] };
      for await (const { event, data } of readEvents(await server.ask("/api/draw", request)))
        if (event === "picture") return (data as { data: string }).data;
      throw new Error("no picture came");
    };
    const drawn = [await picture(0), await picture(1), await picture(0)];
    expect(drawn[1]).not.toBe(drawn[0]);
    expect(drawn[2]).toBe(drawn[0]);
  });
});

describe("the engine", () => {
  it("breaks down for one job alone, and the next is drawn", async () => {
    const broken = await submit(long);
    const next = await submit({ prompt: "a", steps: 1 });
    await until(async () => (await jobOf(broken.id)).state === "running");
    const pid = await until(() => server.enginePid());
    await until(async () => (await jobOf(broken.id)).pictures.length > 0);
    process.kill(pid, "SIGSEGV");
    expect(await finished(broken.id)).toMatchObject({ state: "failed", error: { kind: "crashed" } });
    expect((await finished(next.id)).state).toBe("done");
    expect(server.enginePid()).not.toBe(pid);
  });

  it("that is killed from outside loses nothing", async () => {
    const job = await submit({ ...long, count: 4, seed: 1 });
    await until(async () => (await jobOf(job.id)).pictures.length > 0);
    process.kill(server.enginePid()!, "SIGKILL");
    const { state, attempts, pictures } = await finished(job.id);
    expect({ state, attempts, pictures: pictures.length }).toEqual({ state: "done", attempts: 2, pictures: 4 });
  });

  it("says what is wrong with a job without saying where files lie", async () => {
    const job = await submit({ prompt: "a", loras: [{ name: "../../etc/passwd", weight: 1 }] });
    const { state, error } = await finished(job.id);
    expect(state).toBe("failed");
    expect(error).toMatchObject({ kind: "invalid", message: expect.stringContaining("There is no LoRA") });
    const picture = await submit({ prompt: "a", init: Buffer.from("no picture").toString("base64") });
    expect((await finished(picture.id)).error?.message).toMatch(/^the picture: this picture cannot be read/);
  });
});
