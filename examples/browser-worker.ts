/** The worker of `browser.ts` and `react-component.tsx`. */
import "fourstep/web/worker";
