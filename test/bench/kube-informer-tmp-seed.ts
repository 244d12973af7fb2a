import { startCluster } from '../cluster/cluster.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { kubeClient } from '../../kube/client.ts'
import { customResourceDefinitionType, namespaceType } from '../../kube/builtin-types.ts'
import { writeFileSync } from 'node:fs'
const c = await startCluster({controllerManager:false})
const client = kubeClient({cluster: loadCluster({environment:{KUBECONFIG:c.kubeconfig}}), fieldManager:'bench', qps: Infinity})
const any = {type:'object','x-kubernetes-preserve-unknown-fields':true}
await client.create(customResourceDefinitionType,{metadata:{name:'vms.bench.example.com'},spec:{group:'bench.example.com',scope:'Namespaced',names:{kind:'VM',plural:'vms'},versions:[{name:'v1',served:true,storage:true,schema:{openAPIV3Schema:{type:'object',properties:{spec:any,status:any}}}}]}})
const vmType={group:'bench.example.com',version:'v1',kind:'VM',plural:'vms',namespaced:true}
for(let i=0;i<100;i++) await client.create(namespaceType,{metadata:{name:`team-${i}`}})
for(;;){ const r=await client.raw('/apis/bench.example.com/v1/vms'); if(r.status===200)break; await new Promise(r=>setTimeout(r,200))}
const N=20000; let n=0; const t=performance.now()
const cond=(type:string)=>({type,status:'True',reason:'InstanceRunning',message:'The instance is as the spec wants it.',observedGeneration:3,lastTransitionTime:'2026-01-01T00:00:00Z'})
const vm=(i:number)=>({metadata:{namespace:`team-${i%100}`,name:`web-${i}`,labels:{'app.kubernetes.io/managed-by':'skyclust',app:'web',tier:'frontend'},annotations:{'example.com/owner':'platform-team'},finalizers:['skyclust.io/vm']},
 spec:{provider:'aws',credentialRef:{name:'aws-main'},region:'us-east-1',zone:'us-east-1a',instanceType:'t3.micro',image:'ami-0abcdef1234567890',powerState:'Running',deletionPolicy:'Delete',replacePolicy:'Never',marketType:'OnDemand',network:{subnetID:'subnet-0123456789abcdef0',securityGroupIDs:['sg-0123456789abcdef0'],publicIP:true},rootDisk:{sizeGiB:20,type:'gp3'},sshKeyName:'ops',tags:{team:`team-${i%100}`,env:'production',service:`web-${i}`}},
 status:{instanceID:`i-${i.toString(16).padStart(17,'0')}`,state:'running',publicIP:`203.0.${i>>8&255}.${i&255}`,privateIP:`10.0.${i>>8&255}.${i&255}`,zone:'us-east-1a',launchTime:'2026-01-01T00:00:00Z',observedGeneration:3,conditions:[cond('Ready'),cond('Synced')]}})
await Promise.all(Array.from({length:32},async()=>{for(let i=n++;i<N;i=n++) await client.create(vmType as never,vm(i) as never)}))
console.log('created',N,'in',Math.round(performance.now()-t),'ms')
writeFileSync('/tmp/kb/kubeconfig-path',c.kubeconfig); writeFileSync('/tmp/kb/pid',String(process.pid))
console.log(JSON.stringify(await client.list(vmType as never,{limit:1})).length,'bytes each')
setInterval(()=>{},1e6)
