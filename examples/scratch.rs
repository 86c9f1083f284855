#![allow(warnings, clippy::all)]
use plimsoll::*;
use std::time::Instant;
fn main() {
    let d = "../shared/data";
    let v = std::env::args().nth(1).is_some();
    let problems = std::fs::read_to_string(format!("{d}/random-small.jsonl")).unwrap();
    let theirs = std::fs::read_to_string(format!("{d}/random-small.karpenter.jsonl")).unwrap();
    let (mut more, mut fewer, mut cheaper, mut dearer, mut illegal) = (0,0,0,0,0);
    let (mut ours_sum, mut theirs_sum, mut bound_sum) = (0.0,0.0,0.0);
    let mut time = 0.0; let mut worst=(0.0,0);
    for (i,(p,t)) in problems.lines().zip(theirs.lines()).enumerate() {
        let problem = Problem::from_json(p).unwrap();
        let t: serde_json::Value = serde_json::from_str(t).unwrap();
        let s = Instant::now();
        let plan = match provision(&problem, &Options::default()) { Ok(p)=>p, Err(e)=>{println!("{i}: error {e}");continue} };
        let e = s.elapsed().as_secs_f64(); time += e; if e>worst.0 {worst=(e,i);}
        if v { if let Err(e) = verify(&problem,&plan) { illegal+=1; println!("{i}: ILLEGAL {}", e.to_string().lines().take(3).collect::<Vec<_>>().join(" | ")); } }
        let cost = plan.cost().total.nanos() as f64/1e9;
        let tc = t["cost"].as_f64().unwrap();
        let lo = t["unschedulable"].as_array().unwrap().len();
        let ok = t["ok"].as_bool().unwrap();
        let uo = plan.unschedulable().len();
        let st = plan.stats();
        let share = |k:&str| { let a=*st.get(format!("preferred{k}").as_str()).unwrap_or(&0) as f64; let b=*st.get(format!("honoured{k}").as_str()).unwrap_or(&0) as f64; if a>0.0 {Some(b/a)} else {None} };
        let tp = &t["prefs"];
        let mut note=String::new();
        for (k,n) in [("NodeAffinity","node"),("Spread","spread")] { if let (Some(o),Some(x))=(share(k),tp[n].as_f64()) { if o < x-0.006 { note.push_str(&format!(" {n} {o:.2}<{x:.2}")); } } }
        if uo<lo {more+=1} else if uo>lo { fewer+=1; println!("{i}: FEWER ours {uo} theirs {lo} ok={ok} {}", plan.unschedulable().iter().take(2).map(|u| format!("{} {}",u.pod,u.reasons[0])).collect::<Vec<_>>().join("; ")); }
        else { ours_sum+=cost; theirs_sum+=tc; bound_sum+=plan.cost().lower_bound.nanos() as f64/1e9; if cost<tc-0.0001 {cheaper+=1} else if cost>tc+0.0001 {dearer+=1; println!("{i}: dearer {cost:.4} vs {tc:.4} ok={ok} bound {:.4}{note} {:?}", plan.cost().lower_bound.nanos() as f64/1e9, tp);} else if !note.is_empty() {println!("{i}: equal {note}");} }
    }
    println!("more {more} fewer {fewer} cheaper {cheaper} dearer {dearer} illegal {illegal}; ours {ours_sum:.2} theirs {theirs_sum:.2} ratio {:.3} bound {:.2}; time {time:.2}s worst {worst:?}", ours_sum/theirs_sum, bound_sum);
}
