// Style sheets are bundled as text.
declare module "*.css?inline" {
  const sheet: string;
  export default sheet;
}
